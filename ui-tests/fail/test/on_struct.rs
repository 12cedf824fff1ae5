#[canstop::test]
struct Stops;

fn main() {
    drop(Stops);
}
