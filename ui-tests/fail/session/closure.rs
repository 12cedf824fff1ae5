use canstop::spawn_session;

#[canstop::main]
async fn main() {
    spawn_session!(|| println!("hello"));
}
