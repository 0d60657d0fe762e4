namespace Microsoft.ML;

/// <summary>Says which class loads models saved under a name. The signature's parameters are those of the loader's Create method.</summary>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
internal sealed class LoadableClassAttribute(Type instType, Type loaderType, Type argType, Type sigType, string userName, params string[] loadNames)
    : LoadableClassAttributeBase(null, instType, loaderType, argType, [sigType], userName, loadNames);

internal abstract class LoadableClassAttributeBase(string summary, Type instType, Type loaderType, Type argType, Type[] sigTypes, string userName,
    params string[] loadNames) : Attribute
{
    public string Summary { get; } = summary;
    public Type InstanceType { get; } = instType;
    public Type LoaderType { get; } = loaderType;
    public Type[] SigTypes { get; } = sigTypes;
    public Type[] CtorTypes { get; } =
        [.. new[] { argType }.OfType<Type>(), .. sigTypes[0].GetMethod("Invoke").GetParameters().Select(p => p.ParameterType)];
    public string[] LoadNames { get; } = loadNames is { Length: > 0 } ? loadNames : [userName];
}

/// <summary>Marks a class that is found by its contract's name, not its own.</summary>
[AttributeUsage(AttributeTargets.Class)]
public abstract class ExtensionBaseAttribute : Attribute
{
    private protected ExtensionBaseAttribute(string contractName) => ContractName = contractName;
    public string ContractName { get; }
}
