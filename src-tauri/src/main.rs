//! The desktop shell: windows, their commands, and nothing that thinks.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod aside;
mod desktop;
mod door;
mod tray;
mod windows;

use api::Profile;
use desktop::{Notices, Wish};
use door::Door;
use tauri::{Manager, RunEvent, WindowEvent};

fn main() -> std::process::ExitCode {
    api::harden_process();
    // A web driver may only drive a build that was made for it.
    #[cfg(not(feature = "e2e"))]
    // SAFETY: nothing else runs yet, so no other thread reads the environment.
    unsafe {
        std::env::remove_var("TAURI_WEBVIEW_AUTOMATION");
    }
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(api::log_filter()))
        .with_writer(std::io::stderr)
        .init();
    let built = tauri::Builder::default()
        .invoke_handler(tauri::generate_handler![door::ask, door::picture, door::front])
        .setup(|app| {
            let name = profile_name();
            windows::open_main(app.handle(), &name)?;
            let (notices, wishes) = Notices::begin(app.handle());
            app.manage(notices);
            app.manage(Door::open(app.handle().clone(), Profile { name }, wishes));
            Ok(())
        })
        .build(tauri::generate_context!());
    match built {
        Ok(app) => {
            app.run(|app, event| match event {
                RunEvent::WindowEvent { label, event: WindowEvent::Focused(focused), .. } if label == "main" => {
                    app.state::<Notices>().tell(Wish::Look(focused));
                }
                // Closed by its button; the app itself destroys it.
                RunEvent::WindowEvent { label, event: WindowEvent::CloseRequested { .. }, .. } if label == "small" => {
                    app.state::<Notices>().tell(Wish::Closed);
                }
                // Without the main window there is no app, whatever small ones are open.
                RunEvent::WindowEvent { label, event: WindowEvent::Destroyed, .. } if label == "main" => {
                    windows::close_ring(app);
                    windows::close_small(app);
                }
                RunEvent::Exit => {
                    app.state::<Notices>().leave();
                    app.state::<Door>().close();
                }
                _ => {}
            });
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("parlance: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// `--profile NAME`, or `PARLANCE_PROFILE`, or `default`.
fn profile_name() -> String {
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--profile"
            && let Some(name) = arguments.next()
        {
            return name;
        }
    }
    std::env::var("PARLANCE_PROFILE").unwrap_or_else(|_| windows::DEFAULT_PROFILE.into())
}
