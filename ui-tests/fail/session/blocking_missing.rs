use canstop::spawn_blocking_session;

#[canstop::main]
async fn main() {
    spawn_blocking_session!();
}
