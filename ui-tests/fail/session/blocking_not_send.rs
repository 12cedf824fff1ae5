use std::rc::Rc;

use canstop::spawn_blocking_session;

#[canstop::main]
async fn main() {
    let name = Rc::new("a");
    spawn_blocking_session!(move || println!("{name}"));
}
