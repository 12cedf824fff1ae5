//! What the compiler says of a `#[canstop::test]` that takes the wrong thing.

use std::path::Path;
use std::process::Command;

/// Before the text of the error that is expected on the next line.
const MARK: &str = "//~ ";

#[test]
fn a_test_with_a_wrong_parameter_gets_one_error_on_its_type() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--message-format=short", "--features", "misuse", "--test", "misuse_of_test"])
        .current_dir(package)
        .output()
        .expect("cargo can be run");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let source = std::fs::read_to_string(package.join("misuse/of_test.rs")).expect("the source");
    let expected = source.lines().enumerate().filter_map(|(index, line)| Some((index + 2, line.strip_prefix(MARK)?)));
    let mut errors = stderr.lines().filter(|line| line.contains("error["));
    for (line, text) in expected {
        let error = errors.next().unwrap_or_else(|| panic!("there is no error at line {line}:\n{stderr}"));
        assert!(error.contains(&format!("of_test.rs:{line}:")) && error.contains(text), "line {line}: {error}");
    }
    assert_eq!(errors.next(), None, "{stderr}");
    assert!(!stderr.contains("private"), "{stderr}");
}
