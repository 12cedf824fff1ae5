use std::rc::Rc;

use canstop::spawn_session;

async fn serve() {
    let name = Rc::new("a");
    tokio::task::yield_now().await;
    println!("{name}");
}

#[canstop::main]
async fn main() {
    spawn_session!(serve());
}
