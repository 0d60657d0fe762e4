using System.Reflection;

namespace Microsoft.ML.Runtime;

/// <summary>Which classes load which models; one per <see cref="MLContext"/>.</summary>
public sealed class ComponentCatalog
{
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
            {
                MethodInfo create = attr.LoaderType.GetMethod("Create", BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public,
                    [typeof(IHostEnvironment), .. attr.CtorTypes]);
                AddClass(new LoadableClassInfo(attr, null, null, create, true), attr.LoadNames, throwOnError);
            }
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

    // Private in the genuine package as well: libraries of others that can be saved reach it by reflection.
    private void AddClass(LoadableClassInfo info, string[] loadNames, bool throwOnError)
    {
        foreach ((string, Type) key in info.SignatureTypes.SelectMany(s => loadNames.Select(n => (n.ToLowerInvariant(), s))))
        {
            if (!_classes.TryAdd(key, info) && throwOnError)
            {
                throw Contracts.Except($"ComponentCatalog cannot map name '{key.Item1}' and SignatureType '{key.Item2}' to {info.Type.Name}, already " +
                    $"mapped to {_classes[key].Type.Name}.");
            }
        }
    }

    internal sealed class LoadableClassInfo
    {
        private readonly MethodInfo _create;
        private readonly bool _requireEnvironment;

        internal LoadableClassInfo(LoadableClassAttributeBase attr, MethodInfo getter, ConstructorInfo ctor, MethodInfo create, bool requireEnvironment)
        {
            Type = attr.InstanceType;
            SignatureTypes = attr.SigTypes;
    // Every loader here has a Create method; nothing is loaded by a constructor or from an Instance property.
            Contracts.Check(create != null && getter == null && ctor == null, $"Can't instantiate class '{attr.InstanceType.Name}'");
            _create = create;
            _requireEnvironment = requireEnvironment;
        }

        public Type Type { get; }
        public IReadOnlyList<Type> SignatureTypes { get; }

        public object CreateInstance(IHostEnvironment env, object[] args)
        {
            try
            {
                return _create.Invoke(null, _requireEnvironment ? [env, .. args] : args);
            }
            catch (TargetInvocationException e) when (e.InnerException?.Data.Contains(Contracts.IsMarkedKey) == true)
            {
                throw Contracts.Except(null, "Error during class instantiation", e);
            }
        }
    }
}
