#[canstop::test(crate = supervision)]
async fn stops() {}

fn main() {}
