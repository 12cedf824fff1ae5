use canstop::spawn_session;

#[canstop::main]
async fn main() {
    let double = |n| spawn_session!(async move { n });
    println!("{}", double(21_u32).await.unwrap());
}
