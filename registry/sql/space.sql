-- name: data_folder
-- Where the database's files are, and whether it is reached by a socket or the loopback address, so on this machine.
SELECT current_setting('data_directory') AS folder,
    coalesce(host(inet_server_addr()) IN ('127.0.0.1', '::1'), true) AS here
