use canstop::spawn_blocking_session;

async fn hash() {}

#[canstop::main]
async fn main() {
    spawn_blocking_session!(hash());
}
