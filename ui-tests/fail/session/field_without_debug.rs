use canstop::spawn_session;

struct Peer;

async fn serve() {}

#[canstop::main]
async fn main() {
    spawn_session!(serve(), peer = ?Peer);
}
