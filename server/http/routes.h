/* Routes: which path accepts which methods on which listener, and its handler. Whoever makes the
 * service gives the table. */
#ifndef GRADIENTD_ROUTES_H
#define GRADIENTD_ROUTES_H

#include "http/service.h"
#include "observe/metrics.h"

/* The handler of a path. All functions run on the thread of the request's event loop, may not
 * block, and return what happened. NULL: nothing to do. */
typedef struct handler {
    bool takes_body;    /* otherwise a small body is read and ignored */
    bool takes_long;    /* it may compute for seconds */
    bool is_untyped;    /* bodies are documents without a Content-Type too, or of bytes */
    bool ignores_query; /* otherwise an unknown parameter is rejected */
    const void *kind;   /* the handler's own: what its functions share and do differently */
    outcome (*on_headers)(request *r);                                /* MORE or REJECTED */
    outcome (*on_body)(request *r, const char *bytes, size_t length); /* MORE or REJECTED */
    outcome (*on_end)(request *r); /* the request is whole: DONE, SUSPENDED or REJECTED */
    /* After SUSPENDED: the event loop has released the connection, and the request may be handed to
     * whoever calls request_resume. SUSPENDED, or REJECTED if nobody took it. */
    outcome (*on_suspended)(request *r);
    /* While it is suspended: its peer has gone, and nobody will read a response. Stops the work, so
     * that request_resume is called soon; on_resume is not. On the watcher's thread, once; the
     * request stays until it returns. */
    void (*on_gone)(request *r);
    outcome (*on_resume)(request *r); /* DONE or REJECTED */
    /* Frees what on_headers made, once after each on_headers: when the request completes, or as
     * soon as it is rejected. */
    void (*release)(request *r);
} handler;

typedef struct route {
    const char *path;    /* one "*" in it stands for any word that the table knows */
    const char *methods; /* as in Allow: "GET, HEAD, OPTIONS" */
    bool listeners[ROLE_COUNT];
    metrics_route metric;
    const handler *handler;
    const char *about; /* in a few words */
} route;

struct route_table {
    const route *routes;
    size_t count;
    bool (*knows)(const char *word); /* what a "*" stands for */
    const route *options;            /* who answers OPTIONS, whatever the path */
};

typedef enum route_found { ROUTE_FOUND, ROUTE_UNKNOWN_PATH, ROUTE_WRONG_METHOD } route_found;

/* Finds a path on that listener. *found is set where the path is known, whatever the method. */
route_found routes_find(const route_table *table, service_role role, const char *method,
                        const char *path, const route **found);

/* The paths of a listener one after the other, those without "*", from NULL on; NULL after the
 * last. */
const route *routes_next(const route_table *table, service_role role, const route *previous);

/* Explains an unknown path of that listener: where else it is, which path is near, or which there
 * are. */
void routes_explain(const route_table *table, service_role role, const char *path, char *detail,
                    size_t size);

#endif
