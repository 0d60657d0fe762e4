using System.Reflection;
using TorchSharp.Modules;
using TorchSharp.Utils;

namespace TorchSharp.Utils
{
    /// <summary>Names a component in the state dictionary where its field's name will not do.</summary>
    public class ComponentNameAttribute : Attribute
    {
        public string Name { get; set; } = "";
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            /// <summary>Parameters, buffers and submodules under names, in the order in which they were registered.</summary>
            public class Module : IDisposable
            {
                private readonly OrderedDictionary<string, Module> submodules = [];
                private readonly OrderedDictionary<string, (Tensor tensor, bool persistent)> ownBuffers = [];
                private readonly OrderedDictionary<string, Parameter> ownParameters = [];
                private bool registered;
                private bool isTraining = true;
                protected DeviceType _deviceType = DeviceType.CPU;
                protected int _deviceIndex = -1;
                protected string? name;

                protected Module(string name) => this.name = name;

                ~Module() => Dispose(false);

                public void Dispose()
                {
                    Dispose(true);
                    GC.SuppressFinalize(this);
                }

                protected virtual void Dispose(bool disposing)
                {
                    if (!disposing) return;
                    foreach (var (_, buffer) in named_buffers(false).ToList()) buffer.DetachFromDisposeScope().Dispose();
                    foreach (var (_, parameter) in named_parameters(false).ToList()) parameter.DetachFromDisposeScope().Dispose();
                    foreach (var (_, module) in named_modules().ToList()) module.Dispose();
                }

                public virtual string GetName() => string.IsNullOrEmpty(name) ? GetType().Name : name;

                // Registration.

                protected virtual void RegisterComponents()
                {
                    if (registered) return;
                    foreach (var field in Fields(GetType()))
                    {
                        string key = ComponentName(field);
                        if (submodules.ContainsKey(key) || ownParameters.ContainsKey(key) || ownBuffers.ContainsKey(key)) continue;
                        switch (field.GetValue(this))
                        {
                            case Module module: register_module(key, module); break;
                            case Parameter parameter: register_parameter(key, parameter); break;
                            case Tensor tensor: register_buffer(key, tensor); break;
                        }
                    }
                    registered = true;
                }

                private static string ComponentName(FieldInfo field) => field.GetCustomAttribute<ComponentNameAttribute>()?.Name ?? field.Name;

                private static IEnumerable<FieldInfo> Fields(Type type)
                {
                    var seen = new HashSet<string>();
                    for (Type? level = type; level is not null && level != typeof(Module) && level != typeof(object); level = level.BaseType)
                        foreach (var field in level.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance))
                            if (field.DeclaringType != typeof(Module) && seen.Add(field.Name)) yield return field;
                }

                public virtual void register_buffer(string name, Tensor tensor, bool persistent = true)
                {
                    if (tensor is null || tensor.handle == 0)
                        throw new ArgumentNullException(nameof(tensor), "A null tensor cannot be registered as a buffer.");
                    if (!ownBuffers.TryAdd(name, (tensor, persistent))) throw new InvalidOperationException($"Tensor {name} is already registered.");
                }

                public virtual void register_parameter(string name, Parameter param)
                {
                    if (param is null || param.handle == 0)
                        throw new ArgumentNullException(nameof(param), "A null tensor cannot be registered as a parameter.");
                    if (!ownParameters.TryAdd(name, param)) throw new InvalidOperationException($"Parameter {name} is already registered.");
                }

                public virtual void register_module(string name, Module submodule)
                {
                    if (submodule is null)
                    {
                        submodules.Remove(name);
                        return;
                    }
                    if (name.Contains('.')) throw new ArgumentException($"module name can't contain \".\", got: {name}");
                    if (name.Length == 0) throw new ArgumentException("module name can't be empty string \"\"");
                    if (submodules.ContainsKey(name)) throw new InvalidOperationException($"Sub-module {name} is already registered.");
                    submodule.RegisterComponents();
                    submodules.Add(name, submodule);
                }

                public void add_module(string name, Module module) => register_module(name, module);

                protected void ConditionallyRegisterParameter(string name, Tensor? value) => ConditionallyRegisterParameter(name, value as Parameter);

                protected void ConditionallyRegisterParameter(string name, Parameter? value)
                {
                    if (value is null) ownParameters.Remove(name);
                    else ownParameters[name] = value;
                }

                protected void ConditionallyRegisterBuffer(string name, Tensor? value, bool persistent = true)
                {
                    if (value is null) ownBuffers.Remove(name);
                    else ownBuffers[name] = (value, persistent);
                }

                // What it holds.

                public virtual IEnumerable<(string name, Parameter parameter)> named_parameters(bool recurse = true)
                {
                    var seen = new HashSet<nint> { 0 };
                    foreach (var (key, parameter) in ownParameters) if (seen.Add(parameter.handle)) yield return (key, parameter);
                    if (!recurse) yield break;
                    foreach (var (module, submodule) in submodules)
                        foreach (var (key, parameter) in submodule.named_parameters(true))
                            if (seen.Add(parameter.handle)) yield return ($"{module}.{key}", parameter);
                }

                public virtual IEnumerable<(string name, Tensor buffer)> named_buffers(bool recurse = true, bool include_nonpersistent = true)
                {
                    var seen = new HashSet<nint> { 0 };
                    foreach (var (key, (buffer, persistent)) in ownBuffers) if (persistent && seen.Add(buffer.handle)) yield return (key, buffer);
                    if (!recurse) yield break;
                    foreach (var (module, submodule) in submodules)
                        foreach (var (key, buffer) in submodule.named_buffers(true, include_nonpersistent))
                            if (seen.Add(buffer.handle)) yield return ($"{module}.{key}", buffer);
                }

                public virtual IEnumerable<(string name, Module module)> named_children() => submodules.Select(entry => (entry.Key, entry.Value));

                public virtual IEnumerable<(string name, Module module)> named_modules()
                {
                    foreach (var (key, submodule) in submodules) yield return (key, submodule);
                    foreach (var (key, submodule) in submodules)
                        foreach (var (inner, module) in submodule.named_modules()) yield return ($"{key}.{inner}", module);
                }

                public virtual IEnumerable<Parameter> parameters(bool recurse = true) => named_parameters(recurse).Select(entry => entry.parameter);
                public virtual IEnumerable<Tensor> buffers(bool recurse = true, bool include_nonpersistent = true) =>
                    named_buffers(recurse, include_nonpersistent).Select(entry => entry.buffer);
                public virtual IEnumerable<Module> modules() => named_modules().Select(entry => entry.module);
                public virtual IEnumerable<Module> children() => named_children().Select(entry => entry.module);

                public virtual Module apply(Action<Module> fn)
                {
                    foreach (var (_, submodule) in submodules) submodule.apply(fn);
                    fn(this);
                    return this;
                }

                public virtual bool training => isTraining;
                public virtual void eval() => train(false);

                public virtual void train(bool train = true)
                {
                    isTraining = train;
                    foreach (var (_, child) in named_children()) child.train(train);
                }

                public virtual void zero_grad(bool set_to_none = true)
                {
                    foreach (var (_, parameter) in named_parameters())
                    {
                        using var grad = parameter.grad;
                        if (grad is null) continue;
                        if (set_to_none) parameter.grad = null;
                        else grad.zero_().Dispose();
                    }
                }

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

                // State.

                public virtual Dictionary<string, Tensor> state_dict(Dictionary<string, Tensor>? destination = null, string? prefix = null)
                {
                    destination ??= [];
                    string Key(string key) => string.IsNullOrEmpty(prefix) ? key : $"{prefix}.{key}";
                    foreach (var (key, parameter) in named_parameters()) destination.TryAdd(Key(key), parameter);
                    foreach (var (key, buffer) in named_buffers(include_nonpersistent: false)) destination.TryAdd(Key(key), buffer);
                    foreach (var (key, submodule) in submodules) submodule.state_dict(destination, Key(key));
                    return destination;
                }

                public virtual (IList<string> missing_keys, IList<string> unexpected_keyes) load_state_dict(Dictionary<string, Tensor> source, bool strict = true, IList<string>? skip = null)
                {
                    var destination = state_dict();
                    bool Used(string key) => skip is null || !skip.Contains(key);
                    var unexpected = source.Keys.Where(key => Used(key) && !destination.ContainsKey(key)).ToList();
                    var missing = destination.Keys.Where(key => Used(key) && !source.ContainsKey(key)).ToList();
                    if (strict && missing.Count + unexpected.Count > 0)
                        throw new InvalidOperationException("The loaded state_dict is not identical to the target dictionary.");
                    using var noGradients = no_grad();
                    foreach (var (key, value) in source) if (Used(key) && destination.TryGetValue(key, out var target)) target.copy_(value);
                    return (missing, unexpected);
                }

                public Module save(string location, IList<string>? skip = null)
                {
                    using var stream = File.Create(location);
                    return save(stream, skip);
                }

                public Module save(Stream stream, IList<string>? skip = null)
                {
                    using var writer = new BinaryWriter(stream);
                    return save(writer, skip);
                }

                public Module save(BinaryWriter writer, IList<string>? skip = null)
                {
                    save_state_dict(writer, state_dict(), skip);
                    return this;
                }

                public static void save_state_dict(BinaryWriter writer, Dictionary<string, Tensor> sd, IList<string>? skip = null)
                {
                    var entries = sd.Where(entry => skip is null || !skip.Contains(entry.Key)).ToList();
                    writer.Write7BitEncodedInt64(entries.Count);
                    foreach (var (key, tensor) in entries)
                    {
                        writer.Write(key);
                        tensor.Save(writer);
                    }
                }

                public virtual Module load(string location, bool strict = true, IList<string>? skip = null, Dictionary<string, bool>? loadedParameters = null)
                {
                    if (!File.Exists(location)) throw new FileNotFoundException(location);
                    using var stream = File.OpenRead(location);
                    return load(stream, strict, skip, loadedParameters);
                }

                public Module load(Stream stream, bool strict = true, IList<string>? skip = null, Dictionary<string, bool>? loadedParameters = null)
                {
                    using var reader = new BinaryReader(stream);
                    return load(reader, strict, skip, loadedParameters);
                }

                public virtual Module load(BinaryReader reader, bool strict = true, IList<string>? skip = null, Dictionary<string, bool>? loadedParameters = null)
                {
                    var state = state_dict();
                    long count = reader.Read7BitEncodedInt64();
                    if (count != state.Count && strict)
                        throw new ArgumentException($"Mismatched state_dict sizes: expected {state.Count}, but found {count} entries.");
                    for (long i = 0; i < count; i++)
                    {
                        string key = reader.ReadString();
                        bool found = state.TryGetValue(key, out var tensor);
                        if (!found && strict)
                            throw new ArgumentException($"Mismatched module state names: the target modules does not have a submodule or buffer named '{key}'");
                        if (found && (skip is null || !skip.Contains(key))) tensor!.Load(reader);
                        else TensorExtensionMethods.Load(reader, skip: true).Dispose();
                        loadedParameters?.Add(key, found);
                    }
                    return this;
                }
            }
        }
    }

    public static class ModuleExtensionMethods
    {
        public static T to<T>(this T module, torch.ScalarType type, bool non_blocking = false) where T : torch.nn.Module => (T)module._to(type, non_blocking);
        public static T to<T>(this T module, torch.Device device, torch.ScalarType type, bool non_blocking = false) where T : torch.nn.Module =>
            (T)module._to(device, type, non_blocking);
        public static T to<T>(this T module, DeviceType deviceType, int deviceIndex = -1, bool non_blocking = false) where T : torch.nn.Module =>
            (T)module._to(deviceType, deviceIndex, non_blocking);
        public static T to<T>(this T module, torch.Device device, bool non_blocking = false) where T : torch.nn.Module =>
            (T)module._to(device.type, device.index, non_blocking);
        public static T to<T>(this T module, string device, bool non_blocking = false) where T : torch.nn.Module =>
            module.to(new torch.Device(device), non_blocking);
        public static T cpu<T>(this T module, bool non_blocking = false) where T : torch.nn.Module => (T)module._to(DeviceType.CPU, -1, non_blocking);
        public static T cuda<T>(this T module, int deviceIndex = -1, bool non_blocking = false) where T : torch.nn.Module =>
            (T)module._to(DeviceType.CUDA, deviceIndex, non_blocking);
        public static T half<T>(this T module, bool non_blocking = false) where T : torch.nn.Module => module.to(torch.ScalarType.Float16, non_blocking);
        public static T bfloat16<T>(this T module, bool non_blocking = false) where T : torch.nn.Module => module.to(torch.ScalarType.BFloat16, non_blocking);
        public static T @float<T>(this T module, bool non_blocking = false) where T : torch.nn.Module => module.to(torch.ScalarType.Float32, non_blocking);
        public static T @double<T>(this T module, bool non_blocking = false) where T : torch.nn.Module => module.to(torch.ScalarType.Float64, non_blocking);
    }
}
