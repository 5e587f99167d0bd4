//! A page in Chromium, as a person would use it: a script presses and drags, waits, and says what it found.
//!
//! ```text
//! test ── commands (JSON, parted by NUL) ──▶ stdin, its descriptor 3 ┐
//!                                                                    ├ chromium --remote-debugging-pipe
//! test ◀─ answers, one for each command ──── stdout, descriptor 4 ───┘
//! ```
//!
//! The script waits by the clock. Under Chromium's virtual time it would not: pictures are decoded by threads that virtual
//! time does not wait for, so that on a busy machine eight of its seconds are over before a picture is there.
//! Skipped by name where there is no Chromium.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Test;

/// How long a script may take, which waits many times as long as [`WAIT`] does. A browser that ends is noticed at once.
const PATIENCE: Duration = Duration::from_mins(15);

/// Collects what the page complains of, before anything else runs.
const HOOKS: &str = "var errors = [];\
    addEventListener('error', (e) => errors.push(String(e.message || e.target.src)), true);\
    addEventListener('unhandledrejection', (e) => errors.push(String(e.reason)));\
    for (const of of ['error', 'warn']) console[of] = (...words) => errors.push(words.join(' '));";

/// What scripts have: facts to fill, one element by its selector, and waiting for what comes sooner or later.
const WAIT: &str = "const facts = {};\
    const $ = (selector) => document.querySelector(selector);\
    const wait = async (what, test) => {\
    for (const end = performance.now() + 60000; performance.now() < end; ) {\
    if (test()) return;\
    await new Promise((done) => setTimeout(done, 20)); }\
    throw new Error(`never: ${what}`); };";

/// Chromium, where there is one.
pub fn browser(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("PIPELINE_CHROMIUM").map(PathBuf::from);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    let all = ["chromium", "chromium-browser", "google-chrome"];
    let mut found = all
        .iter()
        .flat_map(|n| folders.iter().map(move |f| f.join(n)));
    let found = named.or_else(|| found.find(|path| path.is_file()));
    if found.is_none() {
        println!("skipped: {name}: no Chromium (apt-get install chromium)");
    }
    found
}

/// What a script, the body of an asynchronous function with [`WAIT`] before it, puts into `facts` when it has used the page;
/// `facts.errors` is what the page and the script complained of.
pub fn driven(browser: &Path, test: &Test, page: &str, script: &str) -> Value {
    let page = format!("file://{}", test.path(page).display());
    let script = format!(
        "(async () => {{ {WAIT}\n\
         try {{ await wait('the end of loading', () => document.readyState === 'complete');\n{script}\n\
         }} catch (error) {{ errors.push(String(error)); }}\n\
         facts.errors = errors; return JSON.stringify(facts); }})()"
    );
    // A browser that has just been installed may need a second start.
    for _ in 0..3 {
        if let Some(mut browser) = Browser::start(browser, &test.path("profile")) {
            return browser.evaluate(&page, &script);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    panic!("the browser did not start");
}

/// A running Chromium with one empty page.
struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: Receiver<Value>,
    session: Value,
    count: u64,
}

impl Browser {
    /// `None` where it ends, or does not answer.
    fn start(browser: &Path, profile: &Path) -> Option<Self> {
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null", "sh"])
            .arg(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--window-size=1200,900",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while said.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let value = serde_json::from_slice(&message).unwrap();
                if sender.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut new = Self {
            child,
            commands,
            answers,
            session: Value::Null,
            count: 0,
        };
        let target = new.ask("Target.createTarget", &json!({"url": "about:blank"}))?;
        let of = json!({"targetId": target["targetId"], "flatten": true});
        new.session = new.ask("Target.attachToTarget", &of)?["sessionId"].take();
        Some(new)
    }

    /// What a promise comes to in a page.
    fn evaluate(&mut self, page: &str, script: &str) -> Value {
        let mut ask = |method: &str, of: Value| {
            let answer = self.ask(method, &of);
            answer.unwrap_or_else(|| panic!("the browser ended in {method}"))
        };
        ask("Page.enable", json!({}));
        ask(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": HOOKS}),
        );
        let went = ask("Page.navigate", json!({"url": page}));
        assert_eq!(went["errorText"], Value::Null, "{page}");
        let ended = ask(
            "Runtime.evaluate",
            json!({"expression": script, "awaitPromise": true}),
        );
        let text = ended["result"]["value"].as_str();
        let text = text.unwrap_or_else(|| panic!("the page was never used to its end: {ended}"));
        serde_json::from_str(text).unwrap()
    }

    /// The result of a command.
    fn ask(&mut self, method: &str, of: &Value) -> Option<Value> {
        self.count += 1;
        let mut command = json!({"id": self.count, "method": method, "params": of});
        if self.session.is_string() {
            command["sessionId"] = self.session.clone();
        }
        write!(self.commands, "{command}\0").ok()?;
        // Others are events.
        loop {
            let mut answer = self.answers.recv_timeout(PATIENCE).ok()?;
            if answer["id"] == self.count {
                assert_eq!(answer["error"], Value::Null, "{method}");
                return Some(answer["result"].take());
            }
        }
    }
}

impl Drop for Browser {
    /// It goes where its commands end; what it does not end by then is ended.
    fn drop(&mut self) {
        let _ = write!(self.commands, "{{\"id\":0,\"method\":\"Browser.close\"}}\0");
        for _ in 0..100 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
