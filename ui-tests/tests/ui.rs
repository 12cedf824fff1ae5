//! Draft.
#[test]
fn fails() {
    trybuild::TestCases::new().compile_fail("fail/*/*.rs");
}
