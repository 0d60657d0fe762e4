using System.Globalization;
using System.Reflection;

namespace MLNetExtension.MLNet.Archive;

/// <summary>A static method whose exceptions reach its caller as they are: ML.NET calls loaders by reflection, which would wrap them in one that says nothing.</summary>
/// <param name="method">The method.</param>
internal sealed class DirectMethod(MethodInfo method) : MethodInfo
{
    public override ICustomAttributeProvider ReturnTypeCustomAttributes => method.ReturnTypeCustomAttributes;

    public override RuntimeMethodHandle MethodHandle => method.MethodHandle;

    public override MethodAttributes Attributes => method.Attributes;

    public override Type? DeclaringType => method.DeclaringType;

    public override Type? ReflectedType => method.ReflectedType;

    public override Type ReturnType => method.ReturnType;

    public override string Name => method.Name;

    public override object? Invoke(object? obj, BindingFlags invokeAttr, Binder? binder, object?[]? parameters, CultureInfo? culture) =>
        method.Invoke(obj, invokeAttr | BindingFlags.DoNotWrapExceptions, binder, parameters, culture);

    public override MethodInfo GetBaseDefinition() => method.GetBaseDefinition();

    public override ParameterInfo[] GetParameters() => method.GetParameters();

    public override MethodImplAttributes GetMethodImplementationFlags() => method.GetMethodImplementationFlags();

    public override object[] GetCustomAttributes(bool inherit) => method.GetCustomAttributes(inherit);

    public override object[] GetCustomAttributes(Type attributeType, bool inherit) => method.GetCustomAttributes(attributeType, inherit);

    public override bool IsDefined(Type attributeType, bool inherit) => method.IsDefined(attributeType, inherit);
}
