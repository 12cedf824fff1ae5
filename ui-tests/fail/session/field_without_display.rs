use canstop::spawn_session;

struct Peer;

async fn serve() {}

#[canstop::main]
async fn main() {
    let peer = Peer;
    spawn_session!(serve(), %peer);
}
