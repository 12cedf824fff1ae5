#[derive(Clone)]
struct Pool;

#[canstop::service]
async fn http(pool: Pool) {
    drop(pool);
}

fn main() {
    drop(http());
}
