use canstop::spawn_session;

async fn serve() {}

#[canstop::main]
async fn main() {
    spawn_session!(graec = "5s", serve());
}
