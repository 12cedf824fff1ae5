use std::rc::Rc;

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    let names = Rc::new("a");
    lifecycle.stopping().await;
    println!("{names}");
}

fn main() {}
