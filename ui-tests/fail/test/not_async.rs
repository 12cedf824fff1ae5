use canstop::testing::Supervisor;

#[canstop::test]
fn stops(mut sup: Supervisor) {
    sup.stop().await;
}

fn main() {}
