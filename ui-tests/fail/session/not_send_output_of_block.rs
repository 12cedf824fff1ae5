use std::rc::Rc;

use canstop::spawn_session;

#[canstop::main]
async fn main() {
    spawn_session!(async { Rc::new(1) });
}
