use std::rc::Rc;

use canstop::Lifecycle;

#[canstop::service(restart = "never")]
async fn http(lifecycle: Lifecycle, port: u16) {
    let names = Rc::new("a");
    lifecycle.stopping().await;
    println!("{names} {port}");
}

fn main() {
    drop(http(80));
}
