/* Who answers what: one file a family of handlers, and the table of routes that names them. */
#ifndef GRADIENTD_HANDLERS_H
#define GRADIENTD_HANDLERS_H

#include "http/routes.h"

extern const route_table api_routes; /* routes.c */

extern const handler handler_gradients; /* compute.c */
extern const handler handler_backprop;  /* compute.c */
extern const handler handler_check;     /* compute.c */
extern const handler handler_info;      /* info.c */
extern const handler handler_root;      /* root.c */
extern const handler handler_options;   /* options.c */
extern const handler handler_livez;     /* health.c */
extern const handler handler_readyz;    /* health.c */
extern const handler handler_metrics;   /* metrics_page.c */

#endif
