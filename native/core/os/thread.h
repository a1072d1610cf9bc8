// Threads as the operating system sees them.
#pragma once

namespace duo::os {

void nameThread(const char* name);  // at most 15 characters show up in tools
// Arithmetic yields to the event loop: a JavaScript thread that wakes up is scheduled at once.
void lowerThreadPriority();
int availableCores();  // what this process may use (affinity), at least 1
void pause();          // tells the core that it is spinning

}  // namespace duo::os
