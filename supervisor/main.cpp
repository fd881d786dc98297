// Entry point; filled in by the component.
int main() {
    return 70;
}
