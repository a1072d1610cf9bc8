#include "napi/environment.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new duo::Environment(env, exports));
  return exports;
}

NODE_API_MODULE(duoformer, init)
