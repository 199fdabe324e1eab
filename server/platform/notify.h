/* Tells the service manager how the daemon is (sd_notify(3)): datagrams to the socket that
 * NOTIFY_SOCKET names. Where there is none, nothing happens. */
#ifndef GRADIENTD_NOTIFY_H
#define GRADIENTD_NOTIFY_H

/* Opens the way to it, before a sandbox closes that. Once. */
void notify_open(void);

/* "READY=1", with what it does, for people. */
void notify_ready(const char *status);

/* Before the configuration is read again; notify_ready ends it. */
void notify_reloading(void);

/* "STOPPING=1", likewise. */
void notify_stopping(const char *status);

#endif
