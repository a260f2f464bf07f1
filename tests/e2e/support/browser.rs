//! A real Chromium, driven through its driver.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

use super::curl::curl;
use super::{SOON, eventually, program, skip};

const ENTER: &str = "\u{E007}";

/// One browser with a fresh profile. Its methods panic where a person would give up.
pub struct Browser {
    runtime: tokio::runtime::Runtime,
    client: Option<Client>,
    driver: Child,
    origin: String,
    session: String,
    profile: tempfile::TempDir,
}

impl Browser {
    /// `None`, with a loud line, where Chromium or its driver is missing.
    pub fn start() -> Option<Self> {
        let (Some(driver), Some(chromium)) = (program(&["chromedriver"]), program(&["chromium", "chromium-browser", "google-chrome"]))
        else {
            skip("Chromium and chromedriver are not installed");
            return None;
        };
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver runs");
        let origin = format!("http://127.0.0.1:{}", driver_port(&mut driver));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let wanted = capabilities(&chromium, profile.path());
        let client = runtime.block_on(async {
            let mut builder = ClientBuilder::rustls().expect("a connector");
            builder.capabilities(wanted).connect(&origin).await.expect("Chromium starts")
        });
        let session = runtime.block_on(client.session_id()).expect("the driver answers").expect("there is a session");
        Some(Self { runtime, client: Some(client), driver, origin, session, profile })
    }

    pub fn goto(&self, url: &str) {
        self.wait(self.client().goto(url)).expect("the page loads");
    }

    pub fn url(&self) -> String {
        self.wait(self.client().current_url()).expect("the page has a URL").to_string()
    }

    pub fn title(&self) -> String {
        self.wait(self.client().title()).expect("the page has a title")
    }

    pub fn source(&self) -> String {
        self.wait(self.client().source()).expect("the page has a source")
    }

    /// The text that a person sees on the page.
    pub fn text(&self) -> String {
        self.texts("body").join("\n")
    }

    /// The visible text of each element that `selector` finds.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let elements = self.wait(self.client().find_all(Locator::Css(selector))).expect("the page is searched");
        elements.iter().map(|element| self.wait(element.text()).expect("an element has a text")).collect()
    }

    pub fn count(&self, selector: &str) -> usize {
        self.wait(self.client().find_all(Locator::Css(selector))).expect("the page is searched").len()
    }

    pub fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        let element = self.wait(self.client().find(Locator::Css(selector))).expect("the element is there");
        self.wait(element.attr(name)).expect("the driver answers")
    }

    pub fn click(&self, selector: &str) {
        let element = self.wait(self.client().find(Locator::Css(selector))).expect("the element is there");
        self.wait(element.click()).expect("it can be clicked");
    }

    /// Types into a field, then presses Enter.
    pub fn type_and_enter(&self, selector: &str, text: &str) {
        let field = self.wait(self.client().find(Locator::Css(selector))).expect("the field is there");
        self.wait(field.send_keys(&format!("{text}{ENTER}"))).expect("the field takes text");
    }

    pub fn set_size(&self, width: u32, height: u32) {
        self.wait(self.client().set_window_size(width, height)).expect("the window is sized");
    }

    pub fn evaluate(&self, script: &str) -> Value {
        self.wait(self.client().execute(script, Vec::new())).expect("the script runs")
    }

    /// Keeps a picture of the page under `target/screenshots`.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).expect("a folder is made");
        let file = folder.join(format!("{name}.png"));
        let picture = self.wait(self.client().screenshot()).expect("a picture is taken");
        std::fs::write(&file, picture).expect("the picture is kept");
        file
    }

    /// Has pages shown in the colours for the dark, or in those for the day.
    pub fn set_dark(&self, is_dark: bool) {
        let url = format!("{}/session/{}/goog/cdp/execute", self.origin, self.session);
        let value = if is_dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        let command = json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        curl(["-H", "Content-Type: application/json", "-d", &command.to_string(), &url]).expect(200);
    }

    /// What the console said since it was asked last: policy violations, script errors, failed loads.
    pub fn console(&self) -> Vec<String> {
        let url = format!("{}/session/{}/se/log", self.origin, self.session);
        let answer = curl(["-H", "Content-Type: application/json", "-d", "{\"type\":\"browser\"}", &url]);
        let value: Value = serde_json::from_slice(&answer.expect(200).body).expect("the driver speaks JSON");
        let lines = value["value"].as_array().expect("a list of lines");
        lines.iter().map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits for a finished download of that name and returns its bytes.
    pub fn downloaded(&self, name: &str) -> Vec<u8> {
        let file = self.profile.path().join("downloads").join(name);
        // An empty file holds the name until the download has ended.
        eventually(&format!("the browser has saved {name}"), SOON, || std::fs::read(&file).ok().filter(|bytes| !bytes.is_empty()))
    }

    /// The same, and the file is gone: so the next download of that name is seen.
    pub fn take_downloaded(&self, name: &str) -> Vec<u8> {
        let bytes = self.downloaded(name);
        std::fs::remove_file(self.profile.path().join("downloads").join(name)).expect("the download is there");
        bytes
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("the browser is open")
    }

    fn wait<F: Future>(&self, work: F) -> F::Output {
        self.runtime.block_on(work)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(self.runtime.block_on(client.close()));
        }
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

fn capabilities(chromium: &Path, profile: &Path) -> fantoccini::wd::Capabilities {
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--window-size=1200,800",
    ];
    let value = json!({
        "acceptInsecureCerts": true,
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "binary": chromium.display().to_string(),
            "args": arguments,
            "prefs": {
                "download.default_directory": profile.join("downloads").display().to_string(),
                "download.prompt_for_download": false,
                "profile.default_content_setting_values.automatic_downloads": 1,
            },
        },
    });
    value.as_object().expect("capabilities are an object").clone()
}

/// The port that the driver chose, from what it prints.
fn driver_port(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().expect("standard output is a pipe")).lines().map_while(Result::ok);
    let port = lines.by_ref().find_map(|line| {
        let port = line.split("on port ").nth(1)?.trim_end_matches('.').split_whitespace().next()?.parse().ok();
        port.filter(|_| line.contains("started successfully"))
    });
    // It goes on printing: somebody has to take it.
    std::thread::spawn(move || lines.for_each(drop));
    port.expect("chromedriver says its port")
}
