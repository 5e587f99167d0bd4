//! `pipeline init`: a commented pipeline file for a folder of the user's own images.
//! Unaware of what the stages do; the file is plain YAML that the user goes on with.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::args::InitArgs;
use engine::invocation;
use files::Name;

use super::{Exit, Fatal, called, print};

/// What is written, with places for what depends on the images.
const TEMPLATE: &str = include_str!("init.yaml");
/// The name of the file within DIR/pipelines.
const NAME: &str = "my-images.yaml";
/// The most images named for testing, for validation and for training.
const MOST: (usize, usize, usize) = (5, 2, 40);

/// The three sets, as the fields of `prepare` that pick their images.
struct Sets {
    train: String,
    val: String,
    test: String,
    remark: String,
}

/// Writes the file and says what to type next. Never overwrites.
pub fn init(args: &InitArgs) -> Result<Exit, Fatal> {
    let folder = args.dir.join("pipelines");
    let folder = folder.strip_prefix(".").unwrap_or(&folder);
    let file = folder.join(NAME);
    if file.exists() {
        return Err(exists(&file));
    }
    let images = args.images.clone().unwrap_or(args.dir.join("images"));
    let sets = sets(&images, &seen_from(folder, &images))?;
    let quoted = invocation::quoted(&file.to_string_lossy());
    let text = TEMPLATE
        .replace("<SCALE>", &args.scale.to_string())
        .replace("<REMARK>", &sets.remark)
        .replace("<TRAIN>", &sets.train)
        .replace("<VAL>", &sets.val)
        .replace("<TEST>", &sets.test)
        .replace("<FILE>", &quoted);
    write_new(folder, &file, &text)?;
    let ignored = ignore(&args.dir);
    let file = quoted;
    let program = invocation::quoted(&called::program());
    print(&format!(
        "wrote {file}{ignored}\n\n\
         Next:\n  \
         {program} plan {file}     what would run, and why\n  \
         {program} run {file}      runs it; the table comes last\n  \
         $EDITOR {file}           every line is explained\n"
    ));
    Ok(Exit::Done)
}

/// Has version control leave out what runs write, where nothing is said about that yet; says what was written, or what
/// is missing in a file that is somebody's own.
fn ignore(folder: &Path) -> String {
    const LINES: &str = "/cache/\n/reports/\n";
    let path = folder.join(".gitignore");
    let shown = Name(path.strip_prefix(".").unwrap_or(&path));
    match std::fs::File::create_new(&path).and_then(|mut new| new.write_all(LINES.as_bytes())) {
        Ok(()) => format!("\nwrote {shown}"),
        Err(_) => match files::read_to_string(&path, 1 << 20) {
            Ok(text) if text.contains("cache") && text.contains("reports") => String::new(),
            _ => format!("\n{shown} is left as it is; /cache/ and /reports/ belong there"),
        },
    }
}

fn exists(file: &Path) -> Fatal {
    let message = format!("`{}` is there already and is left as it is", Name(file));
    Fatal::usage(
        message,
        "name another folder, `pipeline init DIR`, or move the file away",
    )
}

/// Creates the file; one that appeared meanwhile is not overwritten either.
fn write_new(folder: &Path, file: &Path, text: &str) -> Result<(), Fatal> {
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::File::create_new(file))
        .and_then(|mut new| new.write_all(text.as_bytes()));
    written.map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists if file.exists() => exists(file),
        _ => Fatal::failed(
            format!("cannot write `{}`: {e}", Name(file)),
            "name a folder that can be written: `pipeline init DIR`",
        ),
    })
}

/// `images` as it is written in a file of `folder`: relative where both lie below one project, else absolute.
fn seen_from(folder: &Path, images: &Path) -> PathBuf {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (folder, images) = (absolute(folder), absolute(images));
    let project = folder.parent().unwrap_or(&folder);
    match images.strip_prefix(project) {
        Ok(below) => Path::new("..").join(below),
        Err(_) => images,
    }
}

/// Divides the images: by subfolders where there are train, val and test, else by name.
fn sets(images: &Path, written: &Path) -> Result<Sets, Fatal> {
    let parts = ["train", "val", "test"];
    if parts.iter().all(|part| images.join(part).is_dir()) {
        let [train, val, test] = parts.map(|part| {
            let folder = written.join(part);
            format!("images: {}", quoted(&folder.to_string_lossy()))
        });
        let remark = "The folder has subfolders for training, validation and testing.".into();
        return Ok(Sets {
            train,
            val,
            test,
            remark,
        });
    }
    let names = names(images)?;
    let wanted = (names.len() / 5).clamp(1, MOST.0);
    let (test, rest) = names.split_at(wanted);
    let (val, rest) = rest.split_at((rest.len() / 5).clamp(1, MOST.1));
    let train = &rest[..rest.len().min(MOST.2)];
    let only = |names: &[String]| {
        let list: Vec<String> = names
            .iter()
            .map(|n| format!("\n        - {}", quoted(n)))
            .collect();
        let folder = quoted(&written.to_string_lossy());
        format!("images: {folder}\n      only:{}", list.concat())
    };
    Ok(Sets {
        train: only(train),
        val: only(val),
        test: only(test),
        remark: remark(
            names.len(),
            names.len() - test.len() - val.len() - train.len(),
        ),
    })
}

fn remark(all: usize, left: usize) -> String {
    let divided = format!("The {all} images of the folder were divided by name");
    if left == 0 {
        return format!("{divided}; move names between the lists as you like.");
    }
    format!(
        "{divided}; {left} more could train:\n  # put all of them in subfolders train, val and test, and name those without `only`."
    )
}

/// The names of at least three images.
fn names(images: &Path) -> Result<Vec<String>, Fatal> {
    let hint = "put PNG, JPEG, BMP, TIFF or WebP images there, three at least, or name another folder: --images FOLDER";
    let found = pixels::list_images(images, false);
    let found = found.map_err(|e| Fatal::usage(e.to_string(), hint))?;
    let names: Vec<String> = found.files.into_iter().map(|file| file.name).collect();
    if names.len() < 3 {
        let message = format!(
            "`{}` holds {} images: training, validation and testing need one each",
            images.display(),
            names.len()
        );
        return Err(Fatal::usage(message, hint));
    }
    Ok(names)
}

/// A string of YAML in double quotes, as JSON has them; what would name a value or a variable is written so that it does
/// not: `{{` is a brace, and `$${` is `${`.
fn quoted(text: &str) -> String {
    let pieces: Vec<String> = text.split("${").map(|p| p.replace('{', "{{")).collect();
    serde_json::Value::from(pieces.join("$${")).to_string()
}
