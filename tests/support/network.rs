//! What nodes of a harbor network have in common.

use std::net::TcpListener;

/// A port that nobody listens at now.
pub fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

/// The config of a node that starts a program of `tests/lua`. Number 1 is the master,
/// which listens at the port `master`; each takes links at a port of its own.
pub fn config(id: u8, start: &str, master: u16, port: u16) -> String {
    let mut text = format!(
        "thread = 2\nharbor = {id}\nstart = '{start}'\n\
         luaservice = './service/?.lua;./tests/lua/?.lua'\n\
         lua_path = './lualib/?.lua;./tests/lua/?.lua'\n\
         master = '127.0.0.1:{master}'\naddress = '127.0.0.1:{port}'\n"
    );
    if id == 1 {
        text += &format!("standalone = '127.0.0.1:{master}'\n");
    }
    text
}
