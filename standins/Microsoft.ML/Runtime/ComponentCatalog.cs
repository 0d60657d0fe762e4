using System.Reflection;

namespace Microsoft.ML.Runtime;

/// <summary>Which classes load which models; one per <see cref="MLContext"/>.</summary>
public sealed class ComponentCatalog
{
    private const BindingFlags AnyStatic = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
    private const BindingFlags AnyInstance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    private readonly Lock _lock = new();
    private readonly HashSet<string> _assemblies = [];
    private readonly Dictionary<(string Name, Type Signature), LoadableClassInfo> _classes = [];
    private readonly Dictionary<(Type Attribute, string Contract), Type> _extensions = [];

    internal ComponentCatalog()
    {
    }

    public void RegisterAssembly(Assembly assembly, bool throwOnError = true)
    {
        lock (_lock)
        {
            if (!_assemblies.Add(assembly.FullName))
                return;
            foreach (LoadableClassAttributeBase attr in assembly.GetCustomAttributes<LoadableClassAttributeBase>())
                AddClass(Find(attr), attr.LoadNames, throwOnError);
            foreach (Type type in assembly.GetTypes().Where(t => t.IsClass))
            {
                foreach (ExtensionBaseAttribute attr in type.GetCustomAttributes<ExtensionBaseAttribute>())
                {
                    if (!_extensions.TryAdd((attr.GetType(), attr.ContractName), type) && throwOnError)
                    {
                        throw Contracts.Except($"An extension for '{attr.GetType().Name}' with contract '{attr.ContractName}' has already been " +
                            "registered in the ComponentCatalog.");
                    }
                }
            }
        }
    }

    /// <summary>The object that loads what was saved under the name, or null where no such class is registered.</summary>
    internal object CreateInstanceOrNull(IHostEnvironment env, Type signature, string name, params object[] args) =>
        _classes.TryGetValue((name.ToLowerInvariant().Trim(), signature), out LoadableClassInfo info) ? info.CreateInstance(env, args) : null;

    internal object GetExtensionValue(IHostEnvironment env, Type attributeType, string contractName) =>
        _extensions.TryGetValue((attributeType, contractName), out Type type)
            ? Activator.CreateInstance(type)
            : throw env.Except($"Unable to locate an extension for the contract '{contractName}'. Ensure you have called " +
                $"ComponentCatalog.RegisterAssembly with the Assembly that contains a class decorated with a '{attributeType.FullName}'.");

    private static LoadableClassInfo Find(LoadableClassAttributeBase attr)
    {
        Type[] withEnvironment = [typeof(IHostEnvironment), .. attr.CtorTypes];
        return CreateMethod(attr.CtorTypes) is { } create ? new(attr, null, null, create, false)
            : CreateMethod(withEnvironment) is { } createWith ? new(attr, null, null, createWith, true)
            : attr.LoaderType.GetConstructor(AnyInstance, withEnvironment) is { } ctorWith ? new(attr, null, ctorWith, null, true)
            : throw Contracts.Except($"Can't instantiate loadable class '{attr.InstanceType.Name}' with name '{attr.LoadNames[0]}'");

        MethodInfo CreateMethod(Type[] types) =>
            attr.LoaderType.GetMethod("Create", AnyStatic, types) is { } method && method.ReturnType == attr.InstanceType ? method : null;
    }

    // Private in the genuine package as well: libraries of others that can be saved reach it by reflection.
    private void AddClass(LoadableClassInfo info, string[] loadNames, bool throwOnError)
    {
        foreach (Type signature in info.SignatureTypes)
        {
            foreach (string name in loadNames)
            {
                if (_classes.TryAdd((name.ToLowerInvariant(), signature), info) || !throwOnError)
                    continue;
                throw Contracts.Except($"ComponentCatalog cannot map name '{name}' and SignatureType '{signature}' to {info.Type.Name}, already " +
                    $"mapped to {_classes[(name.ToLowerInvariant(), signature)].Type.Name}.");
            }
        }
    }

    internal sealed class LoadableClassInfo
    {
        private readonly ConstructorInfo _constructor;
        private readonly MethodInfo _create;
        private readonly bool _requireEnvironment;

        internal LoadableClassInfo(LoadableClassAttributeBase attr, MethodInfo getter, ConstructorInfo ctor, MethodInfo create, bool requireEnvironment)
        {
            Type = attr.InstanceType;
            SignatureTypes = attr.SigTypes;
            _constructor = ctor;
            _create = create ?? getter;
            _requireEnvironment = requireEnvironment;
        }

        public Type Type { get; }

        public IReadOnlyList<Type> SignatureTypes { get; }

        public object CreateInstance(IHostEnvironment env, object[] args)
        {
            object[] all = _requireEnvironment ? [env, .. args] : args;
            try
            {
                return _constructor == null ? _create.Invoke(null, all) : _constructor.Invoke(all);
            }
            catch (TargetInvocationException e) when (e.InnerException?.Data.Contains(Contracts.IsMarkedKey) == true)
            {
                throw Contracts.Except(null, "Error during class instantiation", e);
            }
        }
    }
}
