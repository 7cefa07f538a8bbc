//! The Debian package as `Cargo.toml` describes it: nothing is forgotten, and nothing is missing when it is made.
//! `packaging/test.sh` installs the real one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `[package.metadata.deb]`.
#[derive(serde::Deserialize)]
struct Deb {
    assets: Vec<(String, String, String)>,
    #[serde(rename = "conf-files")]
    conf_files: Vec<String>,
    changelog: String,
    #[serde(rename = "maintainer-scripts")]
    scripts: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn deb() -> Deb {
    let manifest = config::File::from(root().join("Cargo.toml")).format(config::FileFormat::Toml);
    let manifest = config::Config::builder().add_source(manifest).build().expect("it is TOML");
    manifest.get("package.metadata.deb").expect("the package is described")
}

/// The files below a directory, by their paths from the root of the project.
fn files(directory: &str) -> Vec<String> {
    let entries = root().join(directory).read_dir().unwrap_or_else(|error| panic!("{directory}: {error}"));
    let paths = entries.map(|entry| format!("{directory}/{}", entry.expect("read").file_name().display()));
    paths.flat_map(|path| if root().join(&path).is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The sources of an asset: itself, or what is in its directory.
fn sources(asset: &str) -> Vec<String> {
    match asset.strip_suffix("/*") {
        Some(directory) => files(directory),
        None => vec![asset.to_owned()],
    }
}

/// Where everything goes: source, and path in the file system.
fn installed(deb: &Deb) -> Vec<(String, PathBuf)> {
    let mut all = Vec::new();
    for (asset, target, _) in &deb.assets {
        for source in sources(asset) {
            let name = if target.ends_with('/') { source.rsplit('/').next().unwrap_or_default() } else { "" };
            let path =
                Path::new("/").join(if name.is_empty() { target.clone() } else { format!("{target}{name}") });
            all.push((source, path));
        }
    }
    all
}

/// Runs packaging/build.sh with a `cargo` that builds and packs nothing; what it was to pack with.
fn prepared() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let stand_in = folder.path().join("cargo");
    let text = format!(
        "#!/bin/sh\ncase \"$1\" in\nrun) while [ \"$1\" != -- ]; do shift; done; shift; exec '{}' \"$@\" ;;\n\
         tree) printf 'convened v1 (/home) MIT\\nother v1 MIT\\n' ;;\n*) echo \"$@\" ;;\nesac\n",
        env!("CARGO_BIN_EXE_convened")
    );
    std::fs::write(&stand_in, text).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&stand_in, mode).expect("made a program");
    let path = std::env::var("PATH").expect("a path");
    let ran = Command::new("sh")
        .args(["packaging/build.sh", "--output", "some.deb"])
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env("DEBFULLNAME", "Ann Other")
        .env("DEBEMAIL", "ann@example.org")
        .current_dir(root())
        .output()
        .expect("a shell");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

#[test]
fn everything_that_is_packed_is_there() {
    let packed = prepared();
    assert!(packed.starts_with("deb "), "{packed}");
    assert!(
        packed.trim_end().ends_with("--maintainer Ann Other <ann@example.org> --output some.deb"),
        "{packed}"
    );
    let deb = deb();
    for (asset, ..) in deb.assets.iter().filter(|(asset, ..)| !asset.starts_with("target/release/")) {
        let sources = sources(asset);
        assert!(!sources.is_empty(), "{asset} is empty");
        for source in sources {
            let length = root().join(&source).metadata().map_or(0, |file| file.len());
            assert!(length > 0, "{source} is not there, or empty");
        }
    }
    let crates = std::fs::read_to_string(root().join("target/packaging/crates.txt")).expect("it is written");
    assert_eq!(crates, "other v1 MIT\n", "no path of the machine that builds is in it");
    let pages = installed(&deb).into_iter().filter(|(_, path)| path.starts_with("/usr/share/man/man1"));
    let pages: BTreeSet<_> =
        pages.filter_map(|(_, path)| Some(path.file_name()?.display().to_string())).collect();
    for page in ["convened.1", "convened-run.1", "convened-token-create.1", "convened-top.1"] {
        assert!(pages.contains(page), "{pages:?}");
    }
}

#[test]
fn units_configuration_and_documents_are_all_packed() {
    let packed: BTreeSet<String> = deb()
        .assets
        .iter()
        .filter(|(asset, ..)| !asset.starts_with("target/"))
        .flat_map(|(asset, ..)| sources(asset))
        .collect();
    let shipped = ["systemd", "conf", "docs"].into_iter().flat_map(files);
    let forgotten: Vec<_> = shipped.filter(|file| !packed.contains(file)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

#[test]
fn what_the_package_and_its_unit_name_is_where_they_say() {
    let deb = deb();
    let assets = deb.assets.iter().filter(|(asset, ..)| !asset.starts_with("target/packaging/"));
    let deb = Deb { assets: assets.cloned().collect(), ..deb };
    let paths: BTreeSet<PathBuf> = installed(&deb).into_iter().map(|(_, path)| path).collect();
    let unit = std::fs::read_to_string(root().join("systemd/convened.service")).expect("it is shipped");
    let documents = unit.split_whitespace().filter_map(|word| word.split_once("file://"));
    let commands = unit.lines().filter_map(|line| line.split_once("=/usr/bin/convened "));
    let programs = commands.map(|_| "/usr/bin/convened");
    let named: Vec<&str> = documents
        .map(|(_, path)| path)
        .chain(programs)
        .chain(deb.conf_files.iter().map(String::as_str))
        .collect();
    assert!(named.len() >= 4, "{named:?}");
    for path in named {
        assert!(paths.contains(Path::new(path)), "{path}: {paths:?}");
    }
}

#[test]
fn the_changelog_begins_with_this_version() {
    let changelog = std::fs::read_to_string(root().join(deb().changelog)).expect("it is there");
    let first = format!("convened ({}-", env!("CARGO_PKG_VERSION"));
    assert!(changelog.starts_with(&first), "{first}: {changelog}");
}

#[test]
fn a_shell_understands_every_script() {
    let scripts = files(deb().scripts.trim_end_matches('/'))
        .into_iter()
        .filter(|path| ["preinst", "postinst", "prerm", "postrm"].iter().any(|name| path.ends_with(name)));
    let scripts: Vec<String> =
        scripts.chain(files("packaging").into_iter().filter(|path| path.ends_with(".sh"))).collect();
    assert!(scripts.len() >= 6, "{scripts:?}");
    for script in scripts {
        let checked = Command::new("sh").args(["-n", &script]).current_dir(root()).output().expect("a shell");
        assert!(checked.status.success(), "{script}: {}", String::from_utf8_lossy(&checked.stderr));
    }
}
