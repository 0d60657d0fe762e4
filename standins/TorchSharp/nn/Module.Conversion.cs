using System.Reflection;
using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public partial class Module
        {
            // Moving and converting: parameters and buffers are replaced, in the registry and in the fields that held them.

            protected internal virtual Module _to(Device device, ScalarType dtype, bool non_blocking) => To(dtype, device, non_blocking);
            protected internal virtual Module _to(ScalarType dtype, bool non_blocking) => To(dtype, null, non_blocking);

            protected internal virtual Module _to(DeviceType deviceType, int deviceIndex, bool non_blocking)
            {
                if (deviceType != DeviceType.CUDA) deviceIndex = -1;
                return deviceType == _deviceType && deviceIndex == _deviceIndex ? this : To(null, new Device(deviceType, deviceIndex), non_blocking);
            }

            private Module To(ScalarType? dtype, Device? device, bool non_blocking)
            {
                if (dtype is { } type && !torch.is_floating_point(type) && !torch.is_complex(type))
                    throw new ArgumentException($"nn.Module.to only accepts floating point or complex types, but got desired dtype={type}");
                if (device is { type: DeviceType.CUDA } && !cuda.is_available()) throw new InvalidOperationException("CUDA is not available.");
                if (device is not null && device.type != DeviceType.CUDA) device = new Device(device.type);
                _toEpilog(dtype, device, non_blocking);
                return this;
            }

            protected virtual void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
            {
                foreach (var (_, child) in named_children())
                {
                    if (device is null) child._to(dtype!.Value, non_blocking);
                    else if (dtype is null) child._to(device.type, device.index, non_blocking);
                    else child._to(device, dtype.Value, non_blocking);
                }
                foreach (var (key, parameter) in named_parameters(false).ToList())
                    if (ReplaceParameter(dtype, device, parameter, out var replacement))
                        if (!SetProperty(key, replacement))
                        {
                            parameter.Dispose();
                            ConditionallyRegisterParameter(key, replacement);
                            SetField(key, replacement);
                        }
                foreach (var (key, buffer) in named_buffers(false).ToList())
                    if (ReplaceBuffer(dtype, device, buffer, out var replacement))
                        if (!SetProperty(key, replacement))
                        {
                            ConditionallyRegisterBuffer(key, replacement);
                            SetField(key, replacement);
                        }
                if (device is not null) (_deviceType, _deviceIndex) = (device.type, device.index);
            }

            private bool SetProperty(string key, Tensor? value)
            {
                var property = GetType().GetProperty(key, BindingFlags.Public | BindingFlags.Instance);
                property?.SetValue(this, value);
                return property is not null;
            }

            private void SetField(string key, Tensor? value) => Fields(GetType()).FirstOrDefault(field => ComponentName(field) == key)?.SetValue(this, value);

            private static bool Differs(Tensor tensor, ScalarType? dtype, Device? device) =>
                (dtype ?? tensor.dtype) != tensor.dtype || (device is not null && (device.type != tensor.device_type ||
                    (device.type != DeviceType.CPU && device.index != tensor.device_index)));

            private static ScalarType Target(Tensor tensor, ScalarType? dtype) => tensor.is_floating_point() || tensor.is_complex() ? dtype ?? tensor.dtype : tensor.dtype;

            protected static bool ReplaceBuffer(ScalarType? dtype, Device? device, Tensor buffer, out Tensor? result)
            {
                result = !Differs(buffer, dtype, device) ? null
                    : buffer.to(Target(buffer, dtype), device ?? buffer.device, disposeAfter: true).DetachFromDisposeScope();
                return result is not null;
            }

            protected static bool ReplaceParameter(ScalarType? dtype, Device? device, Parameter param, out Parameter? p)
            {
                p = null;
                using var grad = param.grad;
                if (!Differs(param, dtype, device) && (grad is null || !Differs(grad, dtype, device))) return false;
                using var noGradients = no_grad();
                p = new Parameter(param.to(Target(param, dtype), device ?? param.device), param.requires_grad);
                p.DetachFromDisposeScope();
                if (grad is null) return true;
                using var moved = grad.to(Target(param, dtype), device ?? param.device).with_requires_grad(grad.requires_grad);
                p.grad = moved;
                return true;
            }

            internal T Moved<T>(Device? device, ScalarType? dtype) where T : Module
            {
                if (device is not null && dtype is not null) _to(device, dtype.Value, false);
                else if (device is not null) _to(device.type, device.index, false);
                else if (dtype is not null) _to(dtype.Value, false);
                return (T)this;
            }
        }
    }
}
