// Threads as the operating system sees them.
#pragma once

namespace duo::os {

void nameThread(const char* name);  // at most 15 characters show up in tools
// Arithmetic yields to the event loop: a JavaScript thread that wakes up is scheduled at once.
void lowerThreadPriority();
int availableCores();  // what this process could use (affinity) when it was first asked, at least 1
void pause();          // tells the core that it is spinning
int currentCpu();      // that the calling thread runs on; -1 where the system does not say
// Moves the calling thread to another processor, if it may use one; afterwards it may use the same ones as before.
void leaveCpu(int cpu);

}  // namespace duo::os
