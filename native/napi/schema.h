// The registry as JSON, from which lib/native/schema.generated.ts is printed.
#pragma once
#include <string>

namespace duo {

std::string schemaJson();

}  // namespace duo
