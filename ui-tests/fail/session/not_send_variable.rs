use std::rc::Rc;

use canstop::spawn_session;

#[canstop::main]
async fn main() {
    let greeting = async {
        let name = Rc::new("a");
        tokio::task::yield_now().await;
        println!("{name}");
    };
    spawn_session!(greeting);
}
