/* What the daemon holds at this moment: figures for the metrics, lines of the log for a person. */
#ifndef GRADIENTD_STATE_H
#define GRADIENTD_STATE_H

#include "http/service.h"
#include "observe/metrics.h"

/* Thread-safe; what it reads is not of one instant. */
metrics_gauges state_gauges(service *s);

/* Writes the state into the log: connections by phase, memory, work, the limits in effect, and the
 * connections that hold most. Thread-safe. */
void state_tell(service *s);

#endif
