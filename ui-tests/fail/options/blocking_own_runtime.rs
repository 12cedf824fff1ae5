#[canstop::service(blocking, own_runtime, manual)]
fn spinner(lifecycle: canstop::Lifecycle) {
    while !lifecycle.is_stopping() {}
}

fn main() {}
