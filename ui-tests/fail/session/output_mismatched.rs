use canstop::spawn_session;

async fn answer() -> u32 {
    42
}

#[canstop::main]
async fn main() {
    let answer: String = spawn_session!(answer()).await.unwrap();
    println!("{answer}");
}
