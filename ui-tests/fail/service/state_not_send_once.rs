use std::rc::Rc;

use canstop::Lifecycle;

#[canstop::service(restart = "never")]
async fn http(lifecycle: Lifecycle, names: Rc<str>) {
    lifecycle.stopping().await;
    println!("{names}");
}

fn main() {
    drop(http("a".into()));
}
