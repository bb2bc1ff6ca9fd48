//! Tells Tauri which commands exist, so that each window needs a capability to use them.

fn main() {
    let commands = tauri_build::AppManifest::new().commands(&["ask", "picture", "front"]);
    let attributes = tauri_build::Attributes::new().app_manifest(commands);
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo:warning=tauri-build: {error:#}");
        std::process::exit(1);
    }
}
