struct Refused;

#[canstop::main]
async fn main() -> Result<(), Refused> {
    Err(Refused)
}
