//! The demo for a person: two windows on their own screen, and words that say what to do.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{Crew, Program};
use crate::programs::{ours, root};
use crate::stage::{ANA, BEN, Person, private_dir};
use crate::world::{Ports, World};
use crate::{Outcome, StageError};

/// Ports that stay the same from one demo to the next, so that profiles find their domains again.
const PORTS: Ports = Ports { a: 7101, b: 7102, issuer: 7103 };

/// With what Ana and Ben sign in at their domains.
const PASSWORD: &str = "parlance-demo";

/// Longer than anybody looks at a demo.
const DAY: Duration = Duration::from_secs(86_400);

/// Starts two domains and two windows; returns when both windows are closed.
pub async fn open() -> Outcome<()> {
    if std::env::var_os("DISPLAY").is_none() && std::env::var_os("WAYLAND_DISPLAY").is_none() {
        let remedy = "this needs a desktop; without one use `./dev demo --headless`".into();
        return Err(StageError::Missing { program: "a display".into(), remedy });
    }
    let folder = root().join("target/demo");
    private_dir(&folder)?;
    check_ports(&folder)?;
    let crew = Crew::new(folder.join("logs"))?;
    let world = World::start(&crew, &folder, PORTS).await?;
    for person in [&ANA, &BEN] {
        let given = world.give_account(&folder, person.domain, person.name, PASSWORD)?;
        if !given {
            println!("{} has an account from the last demo.", person.address());
        }
    }
    let mut ana = app(&crew, &world, &folder, &ANA)?;
    let mut ben = app(&crew, &world, &folder, &BEN)?;
    explain(&folder);
    tokio::join!(ana.ends(DAY), ben.ends(DAY));
    println!("Both windows are closed; the two domains stop.");
    Ok(())
}

/// Profiles remember the ports of their domains, so other ports would be other domains.
fn check_ports(folder: &Path) -> Outcome<()> {
    for port in [PORTS.a, PORTS.b, PORTS.issuer] {
        std::net::TcpListener::bind(("127.0.0.1", port)).map_err(|source| StageError::DidNotStart {
            program: format!("the demo in {} (port {port} of this machine)", folder.display()),
            source,
        })?;
    }
    Ok(())
}

fn app(crew: &Crew, world: &World, folder: &Path, person: &Person) -> Outcome<Program> {
    let mut command = Command::new(ours("parlance")?);
    command
        .envs(world.environment())
        .env("PARLANCE_HOME", folder.join(person.name))
        .env("PARLANCE_PROFILE", person.name)
        .env("PARLANCE_DOMAIN", person.domain)
        .env_remove("TAURI_WEBVIEW_AUTOMATION");
    crew.start(&format!("app-{}", person.name), command)
}

fn explain(folder: &Path) {
    let (ana, ben) = (ANA.address(), BEN.address());
    println!(
        "
Two windows open. Each is another person's computer; they share nothing.

 1. In the first window press “Get started”, keep {a}, choose “{a}” and sign in.
    Your browser opens: she has an account, name “ana”, password “{PASSWORD}”. Come back and take {ana}.
 2. In the second window do the same at {b}: name “ben”, the same password. Or choose “{issuer}”
    to be vouched for by somebody else than your domain: “ben”, with any password. Take {ben}.
 3. In Ana's window press “Find by address” and type {ben}. You are asked whether the
    protocol of {b} may run: the app contains no protocol at all. Then ask for contact.
 4. In Ben's window a request appears, with who vouches for Ana. Accept it. Write, and call.

If a window asks for a passphrase at its first start, this desktop has no keyring.
Everything is kept in {folder}; delete that folder to begin anew.
Close both windows, or press Ctrl-C here, to stop.
",
        a = ANA.domain,
        b = BEN.domain,
        issuer = crate::world::ISSUER_NAME,
        folder = folder.display(),
    );
}
