use canstop::spawn_session;

fn serve() -> u32 {
    42
}

#[canstop::main]
async fn main() {
    spawn_session!(serve(), id = 7);
}
