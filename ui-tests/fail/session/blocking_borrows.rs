use canstop::spawn_blocking_session;

#[canstop::main]
async fn main() {
    let name = String::from("a");
    spawn_blocking_session!(|| println!("{name}"));
}
