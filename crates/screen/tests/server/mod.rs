//! A real X server that nobody looks at, and windows on it with known colours and words.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ConfigureWindowAux, ConnectionExt, CreateGCAux, CreateWindowAux, PropMode,
    Rectangle, StackMode, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// One with a screen of 1280 x 720, gone when it is dropped.
pub struct Server {
    child: Child,
    pub name: String,
}

impl Server {
    pub fn start() -> Self {
        Self::sized("1280x720x24")
    }

    pub fn sized(size: &str) -> Self {
        let mut child = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", size, "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb (package xvfb) is installed");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, name: format!(":{}", line.trim()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program with windows.
pub struct Program {
    pub connection: RustConnection,
    pub root: Window,
}

pub const RED: u32 = 0x00d0_2020;
pub const GREEN: u32 = 0x0020_b040;
pub const BLUE: u32 = 0x0020_40c0;
pub const WHITE: u32 = 0x00ff_ffff;
pub const BLACK: u32 = 0;

impl Program {
    pub fn on(server: &Server) -> Self {
        let (connection, number) = RustConnection::connect(Some(&server.name)).unwrap();
        let root = connection.setup().roots[number].root;
        Self { connection, root }
    }

    /// A window of one colour.
    pub fn window(&self, title: &str, (x, y): (i16, i16), (width, height): (u16, u16), colour: u32) -> Window {
        let window = self.connection.generate_id().unwrap();
        let look = CreateWindowAux::new().background_pixel(colour);
        let class = WindowClass::INPUT_OUTPUT;
        self.connection.create_window(24, window, self.root, x, y, width, height, 0, class, 0, &look).unwrap();
        let (property, kind) = (AtomEnum::WM_NAME, AtomEnum::STRING);
        self.connection.change_property8(PropMode::REPLACE, window, property, kind, title.as_bytes()).unwrap();
        self.connection.map_window(window).unwrap();
        self.settle();
        window
    }

    /// Fills a part of a window.
    pub fn fill(&self, window: Window, (x, y): (i16, i16), (width, height): (u16, u16), colour: u32) {
        let pen = self.connection.generate_id().unwrap();
        self.connection.create_gc(pen, window, &CreateGCAux::new().foreground(colour)).unwrap();
        self.connection.poly_fill_rectangle(window, pen, &[Rectangle { x, y, width, height }]).unwrap();
        self.connection.free_gc(pen).unwrap();
        self.settle();
    }

    /// Writes words in black on white, with the font that every X server has; a character is 6 x 13 pixels.
    pub fn write(&self, window: Window, (x, y): (i16, i16), words: &str) {
        let (font, pen) = (self.connection.generate_id().unwrap(), self.connection.generate_id().unwrap());
        self.connection.open_font(font, b"fixed").unwrap();
        let look = CreateGCAux::new().foreground(BLACK).background(WHITE).font(font);
        self.connection.create_gc(pen, window, &look).unwrap();
        self.connection.image_text8(window, pen, x, y, words.as_bytes()).unwrap().check().unwrap();
        self.connection.free_gc(pen).unwrap();
        self.connection.close_font(font).unwrap();
        self.settle();
    }

    pub fn move_to(&self, window: Window, (x, y): (i32, i32)) {
        self.connection.configure_window(window, &ConfigureWindowAux::new().x(x).y(y)).unwrap();
        self.settle();
    }

    pub fn resize(&self, window: Window, width: u32, height: u32) {
        self.connection.configure_window(window, &ConfigureWindowAux::new().width(width).height(height)).unwrap();
        self.settle();
    }

    pub fn raise(&self, window: Window) {
        self.connection.configure_window(window, &ConfigureWindowAux::new().stack_mode(StackMode::ABOVE)).unwrap();
        self.settle();
    }

    pub fn paint(&self, window: Window, colour: u32) {
        let look = ChangeWindowAttributesAux::new().background_pixel(colour);
        self.connection.change_window_attributes(window, &look).unwrap();
        self.connection.clear_area(false, window, 0, 0, 0, 0).unwrap();
        self.settle();
    }

    pub fn fold_away(&self, window: Window) {
        self.connection.unmap_window(window).unwrap();
        self.settle();
    }

    pub fn unfold(&self, window: Window) {
        self.connection.map_window(window).unwrap();
        self.settle();
    }

    pub fn close(&self, window: Window) {
        self.connection.destroy_window(window).unwrap();
        self.settle();
    }

    pub fn point_at(&self, (x, y): (i16, i16)) {
        self.connection.warp_pointer(x11rb::NONE, self.root, 0, 0, 0, 0, x, y).unwrap();
        self.settle();
    }

    /// Waits until the server did all that was asked.
    fn settle(&self) {
        self.connection.sync().unwrap();
    }
}

/// A colour as red, green and blue.
pub fn colour(value: u32) -> [u8; 3] {
    let [blue, green, red, _] = value.to_le_bytes();
    [red, green, blue]
}
