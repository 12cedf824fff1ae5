use canstop::spawn_session;

#[canstop::main]
async fn main() {
    spawn_session!(grace = "2s");
}
