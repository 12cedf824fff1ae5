use canstop::Lifecycle;

#[canstop::service(blocking, cancel)]
fn http(lifecycle: Lifecycle) {
    while !lifecycle.is_stopping() {}
}

fn main() {}
