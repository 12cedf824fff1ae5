use canstop::testing::Supervisor;

struct Pool;

#[canstop::test]
async fn stops(mut sup: Supervisor, pool: Pool) {
    sup.stop().await;
    drop(pool);
}

fn main() {}
