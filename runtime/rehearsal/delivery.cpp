#include "runtime/rehearsal/delivery.h"
namespace plan::rehearsal {
struct DeliveryThread::State {};
DeliveryThread::DeliveryThread(World&) {}
DeliveryThread::~DeliveryThread() = default;
std::string enqueue(World&, AcceptedMessage) { return {}; }
}
