use std::rc::Rc;

use canstop::spawn_session;

macro_rules! background {
    ($work:expr) => {
        spawn_session!("background", $work)
    };
}

#[canstop::main]
async fn main() {
    background!(async {
        let name = Rc::new("a");
        tokio::task::yield_now().await;
        println!("{name}");
    });
}
